/** A policy module put to work: which module, for which Services, with which options. */
import type { Selector } from "./selector.ts";

export interface FlowPolicy {
  readonly name: string;
  /** `builtin:NAME`, `configmap:NAMESPACE/NAME/KEY`, or the path of a file or a package folder. */
  readonly module: string;
  /** Lower is asked earlier; equals by name. */
  readonly order: number;
  /** By labels, name and namespace, as pools select Services; `null` for all. */
  readonly serviceSelector: Selector | null;
  /** What becomes of a new flow when the module fails. */
  readonly onError: "allow" | "deny";
  /** Whether flows that are open are asked about again when the module or its options change. */
  readonly revalidate: "never" | "on-change";
  /** Passed to the module as they are; its own schema says what they may be. */
  readonly options: Readonly<Record<string, unknown>>;
  /** `file.yaml:12`: relative paths begin there; `null` when it comes from no file. */
  readonly where: string | null;
}
