/** What the gateway's process itself takes, under the names that other Node.js programs use for it. */
import { readdirSync } from "node:fs";
import { Gauge, type Registry } from "prom-client";

export function addProcessMetrics(registry: Registry): void {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] });
  const { rss, heapUsed, external } = process.memoryUsage();
  gauge("process_resident_memory_bytes", "Resident memory of the process, all its threads included").set(rss);
  gauge("nodejs_heap_size_used_bytes", "Heap in use by the main thread").set(heapUsed);
  gauge("nodejs_external_memory_bytes", "Memory outside of the heap that the main thread's objects hold").set(external);
  gauge("process_open_fds", "Open file descriptors").set(readdirSync("/proc/self/fd").length);
  const resources = gauge("nodejs_active_resources", "What keeps the main thread's loop going, by type", ["type"]);
  for (const type of process.getActiveResourcesInfo()) resources.inc({ type });
}
