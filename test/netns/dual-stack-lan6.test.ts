/** IPv4 and IPv6 to hosts on a second NIC, without the node's stack. */
import { hostsOnLan } from "../lab/dual-stack.ts";
import { behavesOnRealNetworks } from "./dual-stack-behavior.ts";

behavesOnRealNetworks(hostsOnLan);
