import { expect, it } from "vitest";
import { withoutHostPorts } from "./host-ports.ts";

/** What the kernel shows of a kubelet, and of a client's connection. */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:280A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1
   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 1235 1
`;

const files: Record<string, string> = {
  "/proc/net/tcp": TCP,
  "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
};

it("takes the node's own sockets and clients out of the ports", () => {
  const left = withoutHostPorts(
    [
      [10_000, 11_000],
      [32_000, 62_000],
    ],
    (file) => files[file] ?? "",
  );
  expect(left).toEqual([
    [10_000, 10_249],
    [10_251, 11_000],
    [32_000, 32_767],
    [61_000, 62_000],
  ]);
});

it("leaves the ports as they are where the kernel shows nothing", () => {
  expect(withoutHostPorts([[1024, 2000]], () => "")).toEqual([[1024, 2000]]);
});
