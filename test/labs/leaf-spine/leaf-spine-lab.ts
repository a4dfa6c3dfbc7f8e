/** The lab of the document on addresses of LoadBalancer Services: announced by BGP, by ARP, and answered directly. */
import type { DocumentLab } from "../document-lab.ts";
import { BGP_STOPS } from "./bgp-stops.ts";
import { ClusterOnLeafSpine } from "./cluster-on-leaf-spine.ts";

export const LEAF_SPINE: DocumentLab<ClusterOnLeafSpine> = {
  name: "leaf-spine",
  title: "LoadBalancer addresses in a leaf-spine network, by BGP and by ARP",
  claims: ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B20"],
  stops: [...BGP_STOPS],
  build: (options) => ClusterOnLeafSpine.build("sls", options),
};
