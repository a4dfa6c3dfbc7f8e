/** The platform of this machine. */
import { PLAIN_PLATFORM, type Platform } from "./platform.ts";

/** Without the addon the speaker still speaks, but sets no TTL and refuses peers with a password. */
export async function bestPlatform(): Promise<Platform> {
  try {
    return (await import("./native-platform.ts")).nativePlatform();
  } catch {
    return PLAIN_PLATFORM;
  }
}

/** Gives up the capabilities that no session needs; without the addon they stay. */
export async function keepSpeaking(of: "thread" | "process"): Promise<void> {
  const capabilities = await import("../xdp/capabilities.ts").catch(() => null);
  capabilities?.keepSpeakingCapabilities(of);
}
