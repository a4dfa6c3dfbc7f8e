/** The lab of the document on BGP in front of a cluster: from a ConfigMap's switch to a packet's way in and out. */
import type { DocumentLab } from "../document-lab.ts";
import { EdgeNetwork } from "./edge-network.ts";
import { EDGE_STOPS } from "./edge-stops.ts";

export const EDGE: DocumentLab<EdgeNetwork> = {
  name: "edge",
  title: "BGP in front of a cluster, and the way of a packet",
  claims: ["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10"],
  stops: EDGE_STOPS,
  build: (options) => EdgeNetwork.build("slf", options),
};
