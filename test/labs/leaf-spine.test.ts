/** The leaf-spine lab as a test. */

import { labSuites } from "./lab-suite.ts";
import { LEAF_SPINE } from "./leaf-spine/leaf-spine-lab.ts";

labSuites(LEAF_SPINE, [
  { family: "ipv4", router: "frr", datapath: null },
  { family: "ipv6", router: "bird", datapath: "userspace" },
]);
