/** The edge lab as a test. */
import { EDGE } from "./edge/edge-lab.ts";
import { labSuites } from "./lab-suite.ts";

labSuites(EDGE, [
  { family: "ipv4", router: "bird", datapath: "hybrid" },
  { family: "ipv6", router: "frr", datapath: null },
]);
