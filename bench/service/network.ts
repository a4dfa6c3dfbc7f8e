/**
 * A client, the node that is measured, and a backend with a web server, all with the whole stack of Linux.
 *
 *     client                   node                                backend
 *    +-------------------+    +------------------------------+    +---------------------------+
 *    | 10.1.0.2     cli0 |----| net0 10.1.0.1  10.2.0.1 lan0 |----| srv0 10.2.0.2:8080 nginx  |
 *    +-------------------+    +------------------------------+    +---------------------------+
 *                               VIP 198.51.100.10:80
 *
 * The ends finish their checksums themselves, as Sluice on veth needs it; so they do for everybody.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BACKEND } from "../../test/fixtures/gateway.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { Namespace } from "../../test/lab/namespace.ts";
import { waitFor } from "../../test/lab/wait-for.ts";

export const BACKEND_PORT = 8080;

export class ServiceNetwork {
  readonly lab: Lab;
  readonly client: Namespace;
  readonly node: Namespace;
  readonly backend: Namespace;

  private constructor() {
    this.lab = new Lab("slh");
    this.client = this.lab.namespace("client");
    this.node = this.lab.namespace("node");
    this.backend = this.lab.namespace("backend");
    const offload = { tx: false };
    this.lab.connect(
      { namespace: this.client, device: "cli0", addresses: ["10.1.0.2/24"], offload },
      { namespace: this.node, device: "net0", addresses: ["10.1.0.1/24"] },
    );
    this.lab.connect(
      { namespace: this.node, device: "lan0", addresses: ["10.2.0.1/16"] },
      { namespace: this.backend, device: "srv0", addresses: [`${BACKEND}/16`], offload },
    );
    // What is redirected into a veth by XDP arrives only where NAPI runs.
    for (const [namespace, device] of [
      [this.client, "cli0"],
      [this.node, "net0"],
      [this.node, "lan0"],
      [this.backend, "srv0"],
    ] as const) {
      namespace.offload(device, { gro: true });
    }
    this.client.ip("route add default via 10.1.0.1");
    this.backend.ip("route add default via 10.2.0.1");
    this.node.sysctl("net.ipv4.ip_forward", 1);
    for (const namespace of [this.client, this.backend]) {
      namespace.sysctl("net.ipv4.ip_local_port_range", "1024 65535");
      namespace.sysctl("net.ipv4.tcp_tw_reuse", 1);
      namespace.sysctl("net.core.somaxconn", 4096);
    }
  }

  /** @param prefix words before the web server's command: `taskset`, say. It serves what is in `www` of the lab's folder. */
  static async start(prefix: readonly string[] = []): Promise<ServiceNetwork> {
    const network = new ServiceNetwork();
    try {
      const folder = network.lab.folder;
      const file = join(folder, "nginx.conf");
      writeFileSync(file, NGINX.replaceAll("FOLDER", folder));
      const nginx = network.backend.start("nginx", [...prefix, "nginx", "-p", folder, "-c", file, "-e", "stderr"]);
      const url = `http://${BACKEND}:${BACKEND_PORT}/`;
      const answers = () => network.client.try(["curl", "-sf", "--max-time", "1", url]).status === 0;
      await waitFor("nginx", answers, { seen: () => nginx.log() });
      return network;
    } catch (error) {
      network.close();
      throw error;
    }
  }

  close(): void {
    this.lab.close();
  }
}

const NGINX = `\
daemon off;
user root;
worker_processes 1;
pid FOLDER/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  server { listen ${BACKEND}:${BACKEND_PORT} backlog=4096; location / { return 200 "ok\\n"; } location /www/ { root FOLDER; } }
}
`;
