/**
 * Takes all capabilities from this thread, before a module of somebody else's runs in it. (Datapath workers run modules too,
 * and must open sockets.) Where the addon is not built there is no gateway either, and nothing that a thread could do by them.
 */
export async function giveUpCapabilities(): Promise<void> {
  const capabilities = await import("../xdp/capabilities.ts").catch(() => null);
  capabilities?.keepNoCapabilities();
}
