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
