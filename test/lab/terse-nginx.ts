/** An nginx that answers three bytes and logs nothing: for tests that count connections, not answers. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { waitFor } from "./wait-for.ts";

/** Listens on both families; resolves when it does. It closes each connection first, so the TIME-WAITs are here. */
export async function startTerseNginx(lab: Lab, namespace: Namespace, port: number): Promise<void> {
  const folder = join(lab.folder, `nginx-${namespace.name}`);
  mkdirSync(folder);
  const file = join(folder, "nginx.conf");
  writeFileSync(file, configuration(folder, port));
  const nginx = namespace.start("nginx", ["nginx", "-p", folder, "-c", file, "-e", "stderr"]);
  const listens = () => namespace.run(["ss", "-Hltn", "sport", "=", `:${port}`]).split("\n").length > 2;
  await waitFor("nginx to listen", () => nginx.exit() !== null || listens(), { seen: () => nginx.log() });
  if (nginx.exit() !== null) throw new Error(`nginx ended at once: ${nginx.log()}`);
}

function configuration(folder: string, port: number): string {
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 0;
${places.map((place) => `  ${place}_temp_path ${folder}/${place};`).join("\n")}
  server {
    listen ${port} backlog=4096;
    listen [::]:${port} backlog=4096;
    location / { return 200 "ok\\n"; }
  }
}
`;
}
