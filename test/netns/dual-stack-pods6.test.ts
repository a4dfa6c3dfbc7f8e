/** IPv4 and IPv6 to pods in the node's own stack. */
import { podsInStack } from "../lab/dual-stack.ts";
import { behavesOnRealNetworks } from "./dual-stack-behavior.ts";

behavesOnRealNetworks(podsInStack);
