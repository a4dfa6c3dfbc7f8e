/**
 * Which project's objects something was written in. Both are right in their own dialect where they differ: what a Service
 * without endpoints means, what may share an address, who is told of a failure and how.
 */
export type Dialect = "cilium" | "metallb";
