/**
 * The network of the document on BGP in front of a cluster, in both families, with the API server that seed-a.ts lacks:
 * a client, an upstream router of another AS, one node, and the pod that the document names. The pod is an endpoint by
 * hand, because the document's Service selects nothing.
 */
import { inFamily, toIpv6, urlOf } from "../../lab/both-families.ts";
import { Cluster } from "../../lab/cluster.ts";
import { type CurlAnswer, curl } from "../../lab/curl.ts";
import { podNamespace } from "../../lab/dual-stack-host.ts";
import type { Gateway } from "../../lab/gateway.ts";
import { kernelRoute } from "../../lab/kernel-routes.ts";
import { Lab } from "../../lab/lab.ts";
import type { Namespace } from "../../lab/namespace.ts";
import { Nginx } from "../../lab/nginx.ts";
import { makeRouter, type Router, type RouterConfig, type RouterKind } from "../../lab/router.ts";
import { CLIENT_ADDRESS, NODE_ADDRESS, type OutsideLinks, outsideLinks, ROUTER_ADDRESS } from "../../lab/seed-a.ts";
import { type LabOptions, pasteable, type StandingLab } from "../document-lab.ts";

export const POD_ADDRESS = "10.2.3.5";
export const POD_CIDR = "10.2.3.0/24";

export interface EdgeParts {
  readonly lab: Lab;
  readonly links: OutsideLinks;
  readonly router: Router;
  readonly cluster: Cluster;
  readonly pod: { readonly namespace: Namespace; readonly nginx: Nginx };
  readonly options: LabOptions;
}

export class EdgeNetwork implements StandingLab {
  readonly parts: EdgeParts;

  private constructor(parts: EdgeParts) {
    this.parts = parts;
  }

  /** @param words for `sluice run`, beside those that say where. */
  static async build(prefix: string, options: LabOptions, words: readonly string[] = []): Promise<EdgeNetwork> {
    const lab = new Lab(prefix);
    try {
      const links = outsideLinks(lab);
      addIpv6(links);
      const router = makeRouter(lab, options.router, links.router, routerConfig(options.router));
      await router.start();
      const machine = { name: "node1", address: NODE_ADDRESS, podCidr: POD_CIDR, namespace: links.node };
      const datapath = options.datapath === null ? [] : ["--datapath", options.datapath];
      const cluster = await Cluster.start(lab, [machine], {
        family: options.family,
        arguments: [...datapath, ...words],
      });
      const place = { name: "pod", device: "lxc1", ipv4: POD_ADDRESS, ipv6: toIpv6(POD_ADDRESS), gateway4: "10.2.3.1" };
      const namespace = podNamespace(lab, links.node, place);
      const nginx = await Nginx.start(namespace, "pod", `${lab.folder}/pod`);
      return new EdgeNetwork({ lab, links, router, cluster, pod: { namespace, nginx }, options });
    } catch (error) {
      lab.close();
      throw error;
    }
  }

  get gateway(): Gateway {
    return this.parts.cluster.gateway("node1");
  }

  at(address: string): string {
    return inFamily(address, this.parts.options.family);
  }

  /** Whether the router's kernel has a route to an address of the plan, by the node and by nothing else. */
  isRouted(prefix: string): boolean {
    const { options, router } = this.parts;
    const route = kernelRoute(router.namespace, this.at(prefix), options.family);
    return route?.ways.length === 1 && route.ways[0]!.gateway === this.at(NODE_ADDRESS);
  }

  get hasSession(): boolean {
    return this.parts.router.established().includes(this.at(NODE_ADDRESS));
  }

  curl(address: string, timeoutSeconds = 3): CurlAnswer {
    return curl(this.parts.links.client, urlOf(this.at(address)), { timeoutSeconds });
  }

  lookAround(): (readonly [string, string])[] {
    const { cluster, links, router } = this.parts;
    return [
      ["kubectl", `export KUBECONFIG=${cluster.server.kubeconfig}; kubectl get nodes,services -o wide`],
      ["a request from the client", pasteable(links.client.entered(["curl", urlOf(this.at("192.168.10.100"))]))],
      ["the router's sessions", pasteable(router.sessionsCommand())],
      ["the router's routes", pasteable(links.router.entered(["ip", "route"]))],
      ["a shell on the node", pasteable(links.node.entered(["bash"]))],
      ["what Sluice does", `bin/sluice status --socket ${this.gateway.socket}`],
      ["its flows", `bin/sluice flows --socket ${this.gateway.socket}`],
    ];
  }

  async close(): Promise<void> {
    this.parts.lab.close();
    await this.parts.cluster.close();
  }
}

function addIpv6({ client, router, node }: OutsideLinks): void {
  for (const namespace of [client, router, node]) {
    for (const which of ["all", "default"]) namespace.sysctl(`net.ipv6.conf.${which}.accept_dad`, 0);
  }
  for (const forwarder of [router, node]) forwarder.sysctl("net.ipv6.conf.all.forwarding", 1);
  const address = (text: string, device: string) => `addr add ${toIpv6(text)} dev ${device} nodad`;
  client.ip(address(`${CLIENT_ADDRESS}/24`, "eth0"), `route add default via ${toIpv6("203.0.113.1")}`);
  router.ip(
    address(`${ROUTER_ADDRESS}/32`, "lo"),
    address("203.0.113.1/24", "to-client"),
    address("10.1.1.1/24", "to-node"),
  );
  node.ip(address(`${NODE_ADDRESS}/24`, "net0"), `route add default via ${toIpv6("10.1.1.1")}`);
}

/** From its loopback, which is not on the node's link; a session of each family. */
function routerConfig(kind: RouterKind): RouterConfig {
  const families = [
    { name: "ipv4", own: ROUTER_ADDRESS, node: NODE_ADDRESS },
    { name: "ipv6", own: toIpv6(ROUTER_ADDRESS), node: toIpv6(NODE_ADDRESS) },
  ];
  if (kind === "bird") {
    const parts = families.map(({ name, own, node }) => {
      const ends = `local ${own} as 65001; neighbor ${node} as 65000; interface "to-node"; connect retry time 1; graceful restart off;`;
      return `
protocol kernel kernel_${name} { metric 20; ${name} { import none; export where source = RTS_BGP; }; }
protocol bgp node_${name} { ${ends} ${name} { import all; export none; }; }`;
    });
    return () => `router id ${ROUTER_ADDRESS};\nprotocol device {}\n${parts.join("\n")}\n`;
  }
  const neighbors = families.flatMap(({ own, node }) => [
    ` neighbor ${node} remote-as 65000`,
    ` neighbor ${node} update-source ${own}`,
    ` neighbor ${node} disable-connected-check`,
  ]);
  const channels = families.flatMap(({ name, node }) => [
    ` address-family ${name} unicast`,
    `  neighbor ${node} activate`,
    " exit-address-family",
  ]);
  const head = ["router bgp 65001", ` bgp router-id ${ROUTER_ADDRESS}`, " no bgp ebgp-requires-policy"];
  return () => `${[...head, " no bgp default ipv4-unicast", ...neighbors, ...channels].join("\n")}\n`;
}
