/** The edge lab as a test: both families with FRR; the rest of the matrix in long runs. */
import { EDGE } from "./edge/edge-lab.ts";
import { LONG, labSuite } from "./lab-suite.ts";

labSuite(EDGE, { family: "ipv4", router: "frr", datapath: null });
labSuite(EDGE, { family: "ipv6", router: "frr", datapath: null });
if (LONG) {
  labSuite(EDGE, { family: "ipv4", router: "bird", datapath: null });
  labSuite(EDGE, { family: "ipv6", router: "bird", datapath: null });
}
