#define FLOW_TAG_LIVE (1u << 8)
#define FLOW_TAG_REPLY (1u << 10)
#define FLOW_TAG_OFFLOADED (1u << 11)
#define FLOW_TAG_MATCH_MASK 0x1ffu
#define FLOW_TAG_OVERFLOW_SHIFT 24
#define FLOW_PROBE_LIMIT 64
#define EGRESS_PORT 0xffu
#define EGRESS_PAIR (1u << 8)
#define EGRESS_KEEP_MAC (1u << 9)
#define EGRESS_DECREMENT_TTL (1u << 10)
#define EGRESS_CHECK_TTL (1u << 11)
#define EGRESS_DSR (1u << 12)
#define EGRESS_DSR_KIND_SHIFT 13
#define EGRESS_NEIGHBOR_SHIFT 16
#define EGRESS_TO_STACK -2
#define TABLE_ROW_BYTES 32
#define HEADER_SLOTS 1
#define HEADER_MAGLEV_SIZE 2
#define HEADER_CHUNK_TABLES 3
#define HEADER_TUNNELS 4
#define VIP_PORT_AND_PROTOCOL 4
#define VIP_ID 5
#define VIP_BACKENDS 6
#define VIP_MAGLEV 7
#define VIP_SOURCE_NAT_SHIFT 16
#define BACKEND_PORT 4
#define BACKEND_ID 5
#define BACKEND_VIP 6
#define TUNNEL_OWNER 4
#define TUNNEL_USED 5
#define SOURCE_NAT_NONE 0
#define SOURCE_NAT_REMOTE 3
#define VIP_PROBE_LIMIT 256
#define MAGLEV_CHUNKS 64
#define MAGLEV_CHUNK_ROWS (1 << 17)
#define LOAD_BITS 16
#define SETTINGS_FORWARD (1u << 0)
#define SETTINGS_OPEN (1u << 1)
#define SETTINGS_OPEN_PRESSED (1u << 2)
#define SETTINGS_CHALLENGE (1u << 3)
#define PORT_DROP_OTHERS (1u << 0)
#define PORT_PLACES 256
#define PORT_PROBE_LIMIT 16
#define OWNED_SERVE (1u << 0)
#define OWNED_RESOLVE_ALL (1u << 1)
#define TUNNEL_SHARED (1u << 0)
#define FLOW_TAG_CLAIMED (1u << 9)
#define FLOW_TAG_GENERATION_ONE (1u << 12)
#define FLOW_TAG_GENERATION (0x7ffu << 12)
#define FLOW_TAG_LOCKED (1u << 23)
#define FLOW_TAG_OVERFLOW (0xffu << 24)
#define FLOW_TAG_OVERFLOW_ONE (1u << 24)
#define ROUTE_ON_LINK 0xfffffffeu
#define NEIGHBOR_ROWS (1 << 12)
#define NEIGHBOR_PROBE_LIMIT 32
#define NEIGHBOR_USED (1u << 3)
#define NEIGHBOR_PORT_SHIFT 8
#define PORT_STACK 2
#define NEIGHBOR_VALID (1u << 0)
#define NEIGHBOR_COPY_B (1u << 1)

struct address {
	__u32 words[4];
};

struct arp4_key {
	__u32 address;
	__u32 ifindex;
};

struct budget {
	__u32 second;
	__u32 opened;
};

struct choice {
	struct address address;
	__u32 port;
	__u32 owner;
	__u32 source_nat;
};

struct direction_traffic {
	__u64 packets;
	__u64 bytes;
};

struct ethernet_words {
	__u32 words[3];
};

struct flow6_row {
	__u32 source_address[4];
	__u32 destination_address[4];
	__u32 ports;
	__u32 tag;
	__u32 egress;
	__u32 owner;
	__u32 state;
	__u32 last_seen_seconds;
	__u32 checksum_delta;
	__u32 new_ports;
	__u32 new_source_address[4];
	__u32 new_destination_address[4];
	__u64 packets;
	__u64 bytes;
	__u32 reserved[4];
};

struct flow_key {
	struct address source;
	struct address destination;
	__u32 ports;
	__u8 protocol;
	__u8 family;
	__u16 unused;
};

struct flow_row {
	__u32 source_address;
	__u32 destination_address;
	__u32 ports;
	__u32 tag;
	__u32 new_source_address;
	__u32 new_destination_address;
	__u32 new_ports;
	__u32 checksum_deltas;
	__u32 egress;
	__u32 owner;
	__u32 state;
	__u32 last_seen_seconds;
	__u64 packets;
	__u64 bytes;
};

struct fragment_key {
	struct address source;
	struct address destination;
	__u32 id;
	__u8 protocol;
	__u8 family;
	__u16 unused;
};

struct key6 {
	struct address source;
	struct address destination;
	__u32 ports;
	__u32 tag;
};

struct load_line {
	__u32 flows[LOADS_PER_LINE];
};

struct ndp6_key {
	struct address address;
	__u32 ifindex;
};

struct neighbor {
	__u32 address[4];
	__u32 state;
	struct ethernet_words copies[2];
	__u32 unused;
};

struct new_flow {
	struct flow_key request;
	struct flow_key translated;
	struct flow_key reply;
	struct flow_key answer;
	struct choice choice;
	__u32 hash;
	__u32 reply_hash;
	__u32 flags;
	__u32 request_egress;
	__u32 reply_egress;
	__u32 now;
	__u32 in_port;
};

struct path_mtu {
	struct address address;
	__u32 mtu;
	__u32 second;
	__u32 unused[2];
};

struct port {
	__u32 ifindex;
	__u32 id;
	__u32 flags;
	__u32 vlan[2];
	__u32 pair_ifindex;
	__u32 unused[2];
};

struct port_row {
	__u32 kind;
	__u32 mac_first;
	__u32 mac_last;
	__u32 mtu;
	__u32 pair;
	__u32 addresses[8];
	__u32 tags[2];
	__u32 unused;
};

struct prefix_key {
	__u32 length_bits;
	struct address address;
};

struct queue {
	__u32 offered;
	__u32 taken;
	__u32 seen;
	__u32 reason;
	__u64 moved_at;
	__u64 pressed_at;
	__u64 since;
	__u64 rush_from;
	__u32 rush;
	__u32 opened;
	__u32 unused[2];
};

struct request {
	__u32 egress;
	__u32 owner;
	__u32 row;
	__u32 state;
	__u64 packets;
	__u32 flags;
	__u32 protocol;
	__u32 packet_bytes;
	__u32 unused;
};

struct reshaping {
	__u32 taken[2];
	__u32 taken_bytes;
	__u32 stripped_bytes;
	__u32 given[2];
	__u32 given_bytes;
	__u32 growth_bytes;
	__u32 kind;
	__u32 family;
	struct request request;
	struct key6 key;
	struct ethernet_words ethernet;
	__u32 mac_first, mac_last;
	struct address served;
	__u32 served_port;
	__u32 informs;
	struct address remote;
	struct address own;
	__u32 outer_family;
	__u32 tunnel_port;
	__u32 vni;
	__u32 is_network_order;
	__u32 entropy;
	__u32 protocol;
};

struct route {
	__u32 port;
	__u32 gateway;
	__u32 length_bits;
};

struct settings {
	__u32 hash_key0;
	__u32 hash_key1;
	__u32 flow_mask;
	__u32 flow6_mask;
	__u32 gue_port;
	__u32 geneve_port;
	__u32 flags;
	__u32 layout;
	__u32 sample_every;
	__u32 source_interval;
	__u32 new_flow_budget;
	__u32 reserved[5];
};

struct unwrapped {
	__u32 bytes;
	__u32 family;
	__u32 words[7];
};

struct vip_traffic {
	struct direction_traffic request;
	struct direction_traffic reply;
	__u64 opened;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct address);
	__type(value, __u64);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct budget);
} budgets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct address);
	__type(value, __u32);
} proven_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwrapped);
} unwrappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << PATH_MTU_BITS);
	__type(key, __u32);
	__type(value, struct path_mtu);
} path_mtus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SLOT_GUESS_BITS);
	__type(key, __u32);
	__type(value, __u64);
} slot_guesses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, (1 << LOAD_BITS) / LOADS_PER_LINE);
	__type(key, __u32);
	__type(value, struct load_line);
} backend_load SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 20);
	__type(key, __u32);
	__type(value, struct flow_row);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow6_row);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_PLACES);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} owned4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct address);
	__type(value, __u32);
} owned6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct arp4_key);
	__type(value, __u8);
} arp4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct ndp6_key);
	__type(value, __u8);
} ndp6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment_key);
	__type(value, __u32);
} reply_fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct address);
	__type(value, __u8);
} tunnels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct prefix_key);
	__type(value, __u8);
} tunnel_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct address);
	__type(value, __u8);
} dsr_backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 256 * QUEUES_PER_PORT);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct new_flow);
} new_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct prefix_key);
	__type(value, struct route);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OUTCOMES);
	__type(key, __u32);
	__type(value, __u64);
} xdp_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_PORTS * QUEUES_PER_PORT);
	__type(key, __u32);
	__type(value, struct queue);
} queues SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reshaping);
} reshapings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << 16);
	__type(key, __u32);
	__type(value, struct vip_traffic);
} vip_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_PORTS + 1);
	__type(key, __u32);
	__type(value, struct port_row);
} port_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 12);
	__type(key, __u32);
	__type(value, struct neighbor);
} neighbors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, MAX_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");
