/** Sluice as it is deployed: `sluice speaker` in the sender's namespace, told by its socket what to announce. */
import type { DeclaredSpec } from "../../src/bgp/declared-spec.ts";
import { declared } from "../../src/bgp/declared-spec.ts";
import type { PeerSpec } from "../../src/bgp/speaker-spec.ts";
import { RemoteSpeaker } from "../../src/speaker/remote-speaker.ts";
import { SLUICE } from "../../test/lab/gateway.ts";
import type { Lab } from "../../test/lab/lab.ts";
import type { LabProcess } from "../../test/lab/process.ts";
import { waitFor } from "../../test/lab/wait-for.ts";
import { memoryOf } from "./memory.ts";
import { prefixOf, RECEIVER, type Receiver, SENDER } from "./receiver.ts";
import type { Sender } from "./senders.ts";

const PEER: PeerSpec = {
  name: "receiver",
  address: RECEIVER,
  port: 179,
  asn: 65001,
  localAddress: null,
  connectRetrySeconds: 1,
  holdTimeSeconds: 90,
  keepaliveTimeSeconds: 30,
  ebgpMultihopTtl: 1,
  password: null,
  families: [{ afi: "ipv4", safi: "unicast" }],
  gracefulRestartSeconds: null,
  routes: [],
};

export function sluice(lab: Lab, receiver: Receiver): Sender {
  const socket = `${lab.folder}/speaker.sock`;
  const speaker = new RemoteSpeaker(socket);
  let daemon: LabProcess;
  let ready = specWith(PEER);
  return {
    prepare: async (count) => {
      daemon = receiver.senderNamespace.start("speaker", [SLUICE, "speaker", "--socket", socket]);
      await waitFor(
        "the speaker to answer",
        () =>
          speaker.start().then(
            () => true,
            () => false,
          ),
        {
          seen: () => daemon.log(),
        },
      );
      const shared = { nextHop: SENDER, asPath: [65000], localPreference: null, communities: [], largeCommunities: [] };
      const routes = Array.from({ length: count }, (_, i) => ({ prefix: prefixOf(i, 20), ...shared }));
      ready = specWith({ ...PEER, routes, shutdown: "not yet" });
      await speaker.declare(ready);
    },
    start: () => speaker.declare(enabled(ready)),
    announce: async () => null,
    withdraw: () => speaker.declare(specWith(PEER)),
    whenReceived: async (count) => {
      await waitFor("the routes", async () => (await speaker.status())[0]!.routesReceived === count, {
        timeoutSeconds: 240,
        everyMilliseconds: 5,
      });
      return performance.now();
    },
    memory: () => memoryOf(daemon.pid),
    close: () => speaker.stop({ cease: false }),
  };
}

function specWith(peer: PeerSpec): DeclaredSpec {
  return declared({ instances: [{ localAsn: 65000, routerId: SENDER, listenPort: null, peers: [peer] }] });
}

function enabled({ instances }: DeclaredSpec): DeclaredSpec {
  return {
    instances: instances.map((one) => ({ ...one, peers: one.peers.map((peer) => ({ ...peer, shutdown: null })) })),
  };
}
