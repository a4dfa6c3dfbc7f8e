/** The leaf-spine lab as a test: both families with FRR; the rest of the matrix in long runs. */

import { LONG, labSuite } from "./lab-suite.ts";
import { LEAF_SPINE } from "./leaf-spine/leaf-spine-lab.ts";

labSuite(LEAF_SPINE, { family: "ipv4", router: "frr", datapath: null });
labSuite(LEAF_SPINE, { family: "ipv6", router: "frr", datapath: null });
if (LONG) {
  labSuite(LEAF_SPINE, { family: "ipv4", router: "bird", datapath: null });
  labSuite(LEAF_SPINE, { family: "ipv6", router: "bird", datapath: null });
}
