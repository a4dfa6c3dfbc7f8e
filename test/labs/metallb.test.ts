/** The MetalLB lab as a test: one family with each pair of daemons; the rest of the matrix in long runs. */
import { LONG, labSuite } from "./lab-suite.ts";
import { METALLB } from "./metallb/metallb-lab.ts";

labSuite(METALLB, { family: "ipv4", router: "frr", datapath: null });
if (LONG) {
  labSuite(METALLB, { family: "ipv6", router: "frr", datapath: null });
  labSuite(METALLB, { family: "ipv4", router: "bird", datapath: null });
  labSuite(METALLB, { family: "ipv6", router: "bird", datapath: null });
}
