/** What failures and changes cost under load, as a test. */
import { chaosLab } from "./chaos/chaos-lab.ts";
import { longLabSuite } from "./lab-suite.ts";

longLabSuite(chaosLab(), { family: "ipv4", router: "frr", datapath: null });
