/**
 * A kubeconfig whose requests share connections. The official client makes a set of them for every single request, so each
 * would begin with a TLS handshake, which costs the API server too: most of what it takes to write 10,000 addresses.
 *
 * Not HTTP/2: there all requests would share one connection, and one that is lost without a word (a firewall that forgets, a
 * server that is gone) would take all of them with it until TCP gives up, a quarter of an hour later. Of several connections
 * only the request that meets it fails, and those that are idle for four seconds are closed.
 */
import { isDeepStrictEqual } from "node:util";
import { type DispatcherOptions, KubeConfig, type RequestContext } from "@kubernetes/client-node";

type AgentOptions = Parameters<KubeConfig["createDispatcherOptions"]>[1];
type Connections = NonNullable<ReturnType<RequestContext["getDispatcher"]>>;

export class KeptConnections extends KubeConfig {
  #options: DispatcherOptions | null = null;
  #connections: Connections | null = null;

  /** Asks for new connections only when those that are kept were made with other credentials: a certificate is renewed. */
  override createDispatcherOptions(
    cluster: KubeConfig["clusters"][number] | null,
    agent: AgentOptions,
  ): DispatcherOptions {
    const made = super.createDispatcherOptions(cluster, agent);
    const options = made.type === "agent" ? { ...made, connect: { ...made.connect, allowH2: false } } : made;
    if (isDeepStrictEqual(options, this.#options)) return { type: "none" };
    this.#options = options;
    return options;
  }

  override async applySecurityAuthentication(request: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(request);
    const made = request.getDispatcher();
    if (made !== undefined) {
      // Once nobody uses them any more.
      void this.#connections?.close();
      this.#connections = made;
    } else if (this.#connections !== null) request.setDispatcher(this.#connections);
  }
}
