/**
 * The suites. `unit` needs nothing but Node and runs in parallel; the others share the machine's kernel (interfaces,
 * BPF programs, routers), so their files run one after another and only as root. `npm test` runs each suite by itself.
 */
import { defineConfig } from "vitest/config";

/**
 * A suite that uses the kernel: one file at a time, with time for a router to start and a session to come up.
 *
 * Real daemons and 50 ms timers on a machine whose cores others use too: a test that fails may be the neighbour's doing,
 * so it has two more tries. One that is broken fails all three.
 */
function kernelSuite(name: string) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      pool: "forks" as const,
      fileParallelism: false,
      retry: 2,
      testTimeout: 60_000,
      hookTimeout: 120_000,
      // A page asks for news every second or two; to poll for one second is no look at what it shows then.
      expect: { poll: { timeout: 10_000 } },
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/*.test.ts"],
          // Rooms keep no state in their modules, so files can share a process: 20 s become 8 s on two cores.
          isolate: false,
          testTimeout: 15_000,
        },
      },
      kernelSuite("native"),
      kernelSuite("netns"),
      kernelSuite("interop"),
      kernelSuite("kubernetes"),
      kernelSuite("labs"),
    ],
  },
});
