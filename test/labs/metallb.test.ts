/** The MetalLB lab as a test. */

import { labSuites } from "./lab-suite.ts";
import { METALLB } from "./metallb/metallb-lab.ts";

labSuites(METALLB, [{ family: "ipv4", router: "frr", datapath: null }]);
