/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a forwarded segment says about its flow's state: src/dataplane/flow-tracking.ts, as far as segments come here. A
 * row keeps the flags of its direction; the first direction to close is marked, for its host keeps the TIME-WAIT.
 */
#ifndef SLUICE_FLOW_STATE_H
#define SLUICE_FLOW_STATE_H

#include "clock.h"
#include "flow_lookup.h"
#include "row_fields.h"
#include "transport.h"

/* The state word: src/dataplane/state-word.ts. */
#define STATE_CLOSED_FIRST (1u << 8)
#define STATE_WATCHED (1u << 9) /* never forwarded here */
/* When the row was claimed: of the second's bits the low ones in a request's row, the next ones in a reply's. */
#define STATE_OPENED_SHIFT 10
#define STATE_OPENED_BITS 14
#define STATE_OPENED_MASK ((1u << STATE_OPENED_BITS) - 1)

/* What peer_state() says of a flow whose other row is gone. */
#define NO_STATE 0xffffffffu

static __always_inline __u32 peer_state_in(const int family, const struct settings *set, const void *row)
{
	struct row peer;

	return set && row && row_at(family, find_against(family, set, row, 1), &peer) ? *peer.state : NO_STATE;
}

FOR_EITHER_ROW(__u32, peer_state)

/* The state of the other direction's row, which is found by what this one's frames become. */
static __always_inline __u32 peer_state(const int family, const struct settings *set, void *row)
{
	return family == 4 ? peer_state4(set, row) : peer_state6(set, row);
}

/* The flags to add to a row for its first FIN. */
static __always_inline __u32 closing_flags(__u32 peer)
{
	return peer != NO_STATE && (peer & TCP_FIN) ? 0 : STATE_CLOSED_FIRST;
}

/* Whether a client's SYN may begin another flow in the place of this one: that is decided where flows are opened. */
static __always_inline int may_begin_again(__u32 state, __u32 peer)
{
	if (peer == NO_STATE)
		return 1;
	return ((state | peer) & TCP_RST) || (state & peer & TCP_FIN);
}

/* At the pod's node a client's SYN says for which VIP it is: whether that is still this flow's, the worker reads. */
static __always_inline int is_received(__u32 egress)
{
	return (egress & EGRESS_DSR) && (egress >> EGRESS_DSR_KIND_SHIFT & 7) == DSR_RECEIVED;
}

/* Whether a SYN-ACK answers none of the SYNs that came by here: by the state of both rows of its flow. */
static __always_inline int is_over_for_answers(__u32 back, __u32 there, __u32 request_egress)
{
	return ((there | back) & TCP_RST) || ((back & TCP_FIN) && ((there & TCP_FIN) || is_received(request_egress)));
}

static __always_inline int is_direct_answer_in(const int family, const struct settings *set, void *row)
{
	struct row request;
	__u32 back, slot;

	if (!set || !row)
		return 0;
	back = *fields_of(family, row).state;
	if (!(back & TCP_ACK))
		return 0;
	slot = find_against(family, set, row, 1);
	/* Of a request that another node has translated. */
	if (slot == NO_SLOT)
		slot = find_against(family, set, row, 0);
	return !row_at(family, slot, &request) || is_over_for_answers(back, *request.state, *request.egress);
}

FOR_EITHER_ROW(int, is_direct_answer)

/*
 * Whether a SYN-ACK in the direction of a reply row is that of a connection past us: the flow is over, and a SYN that had
 * come by here would have begun it anew (src/dataplane/direct-answer.ts).
 */
static __always_inline int is_direct_answer(const int family, const struct settings *set, void *row)
{
	return family == 4 ? is_direct_answer4(set, row) : is_direct_answer6(set, row);
}

static __always_inline int is_servers_answer(__u32 tag, __u32 flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && (tag & FLOW_TAG_REPLY);
}

static __always_inline int is_clients_syn(__u32 tag, __u32 flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && !(tag & FLOW_TAG_REPLY);
}

/*
 * A client that has closed, with what may be of another connection, which workers judge: src/dataplane/flow-tracking.ts. What it
 * acknowledges at the end of this one comes within the second.
 */
static __always_inline int speaks_again(__u32 tag, __u32 state, __u32 flags, __u32 last_seen)
{
	return (state & TCP_FIN) && !(flags & TCP_FIN) && !(tag & FLOW_TAG_REPLY) &&
	       ((flags & TCP_PSH) || now_seconds() != last_seen);
}

/*
 * Whether that may be of the next connection by the client's port, whose SYN another node has seen: both sides of
 * this one have closed, or its replies have lost their row. Flows are opened elsewhere.
 */
static __always_inline int is_over(__u32 state, __u32 peer)
{
	return peer == NO_STATE || (state & peer & TCP_FIN);
}

static __always_inline int may_forward(const int family, const struct settings *set, void *row, __u32 tag, __u32 flags)
{
	struct row of = fields_of(family, row);

	if (is_plain(flags))
		return !speaks_again(tag, *of.state, flags, *of.last_seen) ||
		       !is_over(*of.state, peer_state(family, set, row));
	return is_valid(flags) &&
	       !(is_clients_syn(tag, flags) &&
		 (is_received(*of.egress) || may_begin_again(*of.state, peer_state(family, set, row)))) &&
	       !(is_servers_answer(tag, flags) && is_direct_answer(family, set, row));
}

/* A flow lives after its RST: who has sent one has nothing more to say, so somebody else did (RFC 7857 §2.2). */
static __always_inline int is_news(const __u32 *state, __u32 flags)
{
	return (*(const volatile __u32 *)state & (flags | TCP_RST)) != flags;
}

static __always_inline void revive(__u32 *state, __u32 flags)
{
	if (!(flags & TCP_RST) && (*(volatile __u32 *)state & TCP_RST))
		__sync_fetch_and_and(state, ~TCP_RST);
}

static __always_inline void note_flags(const int family, const struct settings *set, void *row, __u32 flags)
{
	__u32 *state = fields_of(family, row).state;

	if (!is_news(state, flags))
		return;
	revive(state, flags);
	__sync_fetch_and_or(state,
			    flags | (flags & ~*state & TCP_FIN ? closing_flags(peer_state(family, set, row)) : 0));
}

#endif
