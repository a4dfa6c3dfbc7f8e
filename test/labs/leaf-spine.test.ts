/** The leaf-spine lab as a test. */

import { labSuites } from "./lab-suite.ts";
import { LEAF_SPINE } from "./leaf-spine/leaf-spine-lab.ts";

labSuites(LEAF_SPINE, ["ipv4", "ipv6"]);
