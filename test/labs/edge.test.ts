/** The edge lab as a test. */
import { EDGE } from "./edge/edge-lab.ts";
import { labSuites } from "./lab-suite.ts";

labSuites(EDGE, ["ipv4", "ipv6"]);
