/** What failures and changes cost under load, as a test. */
import { CHAOS } from "./chaos/chaos-lab.ts";
import { longLabSuite } from "./lab-suite.ts";

longLabSuite(CHAOS, { family: "ipv4", router: "frr", datapath: null });
