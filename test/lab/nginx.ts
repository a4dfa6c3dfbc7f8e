/**
 * A real nginx inside a namespace: the server that the documents' pods run. It answers with the welcome page that they
 * print, says which pod it is in a header, and logs the address that its kernel saw as the client's.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { deterministicBody } from "./deterministic-body.ts";
import type { Namespace } from "./namespace.ts";
import type { LabProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

/** The file that a transfer test fetches. */
export const LARGE_FILE = "10mb";
export const LARGE_FILE_BYTES = 10_000_000;

const WELCOME = `<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
</body>
</html>
`;

export class Nginx {
  readonly #process: LabProcess;
  readonly #log: string;
  readonly #goodbye: string;

  private constructor(process: LabProcess, log: string, goodbye: string) {
    this.#process = process;
    this.#log = log;
    this.#goodbye = goodbye;
  }

  /** @param folder of this server alone; the large file lies beside it, once for all. */
  static async start(namespace: Namespace, name: string, folder: string): Promise<Nginx> {
    const pages = `${folder}/pages`;
    mkdirSync(pages, { recursive: true });
    writeFileSync(`${pages}/index.html`, WELCOME);
    writeFileSync(`${pages}/${LARGE_FILE}`, deterministicBody(LARGE_FILE_BYTES));
    const log = `${folder}/access.log`;
    writeFileSync(log, "");
    writeFileSync(`${folder}/nginx.conf`, configuration(name, folder, pages, log));
    const files = ["-c", `${folder}/nginx.conf`, "-p", folder];
    const process = namespace.start(name, ["nginx", "-e", `${folder}/error.log`, ...files]);
    const listens = () => namespace.run(["ss", "-Hltn", "sport", "=", ":80"]) !== "";
    await waitFor(`nginx of ${name} to listen`, () => process.exit() !== null || listens(), {
      seen: () => process.log(),
    });
    if (process.exit() !== null) throw new Error(`nginx of ${name} ended at once: ${process.log()}`);
    return new Nginx(process, log, goodbyeFile(folder));
  }

  /** The clients' addresses as the pod's kernel saw them, one for each request answered. */
  clients(): string[] {
    return readFileSync(this.#log, "utf8").split("\n").filter(Boolean);
  }

  /**
   * As a preStop hook does it: from now on each answer says that the connection ends with it, so that clients go elsewhere
   * before there is nobody to answer. A connection that is closed while idle may have a request under way (RFC 9112 §9.5).
   */
  sayGoodbye(): void {
    writeFileSync(this.#goodbye, "");
  }

  /** As a kubelet ends a container: requests under way are answered, and new connections refused. */
  async stop(): Promise<void> {
    await this.#process.stop("SIGQUIT");
  }
}

/** While it is there, nginx says goodbye. */
function goodbyeFile(folder: string): string {
  return `${folder}/goodbye`;
}

function configuration(name: string, folder: string, pages: string, log: string): string {
  return `
daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  default_type text/html;
  log_format client '$remote_addr';
  access_log ${log} client;
  keepalive_requests 1000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 80 backlog=1024;
    listen [::]:80 backlog=1024;
    root ${pages};
    add_header X-Pod ${name};
    error_page 418 = @goodbye;
    if (-f ${goodbyeFile(folder)}) { return 418; }
    location @goodbye {
      keepalive_timeout 0;
      try_files $uri $uri/index.html =404;
    }
  }
}
`;
}
