/** Everything that sessions may ask of the system, with the addon. */
import { BfdMonitor } from "./bfd-monitor.ts";
import { dialNative, listenNative } from "./native-dial.ts";
import { discoverPeer } from "./peer-discovery.ts";
import type { Platform } from "./platform.ts";

export function nativePlatform(): Platform {
  const bfd = new BfdMonitor();
  return {
    dial: dialNative,
    listen: listenNative,
    watchBfd: (question, listener) => bfd.watch(question, listener),
    discover: discoverPeer,
    close: () => bfd.close(),
  };
}
