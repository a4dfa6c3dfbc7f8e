/** The lab of the document on addresses of LoadBalancer Services: announced by BGP, by ARP, and answered directly. */
import type { DocumentLab } from "../document-lab.ts";
import { BGP_STOPS } from "./bgp-stops.ts";
import { ClusterOnLeafSpine } from "./cluster-on-leaf-spine.ts";
import { DSR_STOPS } from "./dsr-stops.ts";
import { L2_STOPS } from "./l2-stops.ts";
import { WEAK_SPOT_STOPS } from "./weak-spot-stops.ts";

export const LEAF_SPINE: DocumentLab<ClusterOnLeafSpine> = {
  name: "leaf-spine",
  title: "LoadBalancer addresses in a leaf-spine network, by BGP and by ARP",
  claims: Array.from({ length: 20 }, (_, index) => `B${index + 1}`),
  stops: [...BGP_STOPS, ...L2_STOPS, ...DSR_STOPS, ...WEAK_SPOT_STOPS],
  build: (options) => ClusterOnLeafSpine.build("sls", options),
};
