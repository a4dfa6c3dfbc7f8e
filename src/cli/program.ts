/** The command line: what each command is called, takes and prints. The work is done in files of their own. */
import { hostname } from "node:os";
import { Command, CommanderError, Option } from "commander";
import { GOODBYES } from "../agent/announcer.ts";
import { DATAPATH_MODES, DEFAULT_NEW_FLOW_BUDGET, type RunOptions } from "../agent/run-options.ts";
import { parseVlanOption } from "../agent/vlan-option.ts";
import { fileFault } from "../config/file-fault.ts";
import { DEFAULT_TIMING } from "../l2/timing.ts";
import { isNativeError } from "../xdp/native-error.ts";
import { addBgpCommands } from "./bgp-commands.ts";
import { addBundleCommand } from "./bundle.ts";
import { addCleanupCommand } from "./cleanup.ts";
import { addClusterCommands } from "./cluster-commands.ts";
import { addCompletionCommand } from "./completion.ts";
import { addDoctorCommand } from "./doctor-command.ts";
import { addDrainCommands } from "./drain.ts";
import { addExplainCommands } from "./explain-commands.ts";
import { fleetTable } from "./fleet-table.ts";
import { addL2Commands } from "./l2-commands.ts";
import { HIGHEST_PORT, positive, powerOfTwo, wholeNumber, within } from "./option-values.ts";
import { runPlan } from "./plan.ts";
import { policiesTable } from "./policies.ts";
import { addReplayCommand } from "./replay-command.ts";
import { flowsTable, servicesTable, showFromProcess, statusTable } from "./show.ts";
import { addTraceCommands } from "./trace-commands.ts";

const DEFAULT_SOCKET = "/run/sluice/sluice.sock";
const DEFAULT_HTTP = "127.0.0.1:9472";
const DEFAULT_STATE = "/var/lib/sluice/last-known-good.json";
const DEFAULT_L2_PORT = 9473;
const DEFAULT_FLEET_PORT = 9475;
const DEFAULT_FLOW_ROWS = 1 << 20;

/** Runs the command that `args` name. @returns the exit status. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = sluiceProgram((exitCode) => {
    status = exitCode;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    // Commander has printed its own complaint, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`sluice: ${sentence(error)}\n`);
    return 1;
  }
  return status;
}

/** All commands. @param exitWith is told the exit status of one that has not thrown. */
export function sluiceProgram(exitWith: (status: number) => void): Command {
  const program = new Command("sluice")
    .description("An edge gateway for Kubernetes: allocates addresses, announces them, moves the packets.")
    .addHelpText(
      "after",
      "\nExit status: 0 when it is done; 1 when it can't be, with the reason on standard error, or when `check` or" +
        "\n`doctor` find an error; 2 when `plan --against` finds that something live would move.",
    )
    .exitOverride();

  program
    .command("run")
    .description("serve: read manifests, announce their VIPs and forward their traffic")
    .option("-f, --filename <path...>", "files or directories of manifests; changes take effect at once", [])
    .addOption(new Option("--kubernetes", "follow a cluster instead of files").conflicts("filename"))
    .option("--kubeconfig <file>", "how to reach the cluster; without it the pod's service account, or kubectl's way")
    .option("--namespace <name>", "namespace of the Lease and of Secrets", "sluice-system")
    .option(
      "--state <file>",
      "where the last known state of the cluster is kept; with -f, what Services hold (kept nowhere unless given)",
      DEFAULT_STATE,
    )
    .option("--no-ipam", "leave the giving of addresses to somebody else")
    .option("--no-bgp", "leave BGP to another speaker, whatever policies there are")
    .option("--health-check-ports", "serve the health check ports of Services, where no kube-proxy does it", false)
    .option("--no-forwarding", "leave what arrives to kube-proxy or the CNI: addresses are given and announced only")
    .option("--no-l2", "leave answering for addresses on links to somebody else")
    .option("--node <name>", "name of this node's Node object", hostname())
    .requiredOption("--uplink <interface...>", "interface that faces routers and clients")
    .option("--inside <where...>", "`stack` for pods behind the node's own stack, or interfaces towards the backends", [
      "stack",
    ])
    .option(
      "--vlan <interface=vlan...>",
      "VLAN that an interface's traffic is in: eth0=100, eth0=10.100, eth0=100:eth0.100",
      [],
    )
    .addOption(
      new Option(
        "--datapath <mode>",
        "who forwards established flows and opens new ones: workers, or the kernel by BPF programs",
      )
        .choices(DATAPATH_MODES)
        .default("auto"),
    )
    .option("--new-flows-per-source <count>", "new connections of one source in a second, at most", positive)
    .option("--syn-cookies", "open TCP connections only for clients that have answered a SYN cookie")
    .option(
      "--new-flow-budget <count>",
      "connections that the kernel opens in a second on each processor, at most; 0 for no limit",
      wholeNumber,
      DEFAULT_NEW_FLOW_BUDGET,
    )
    .option(
      "--keep-flows",
      "at the end leave established flows to the kernel, until the next start or `sluice cleanup`",
      false,
    )
    .addOption(xdpModeOption())
    .option(
      "--repair-offloads",
      "switch off what the interfaces' hardware is believed to do and would break traffic",
      false,
    )
    .option("--socket <path>", "unix socket of the API", DEFAULT_SOCKET)
    .option(
      "--http [host:port]",
      "serve the status page, the API for reading, /metrics and probes there; 127.0.0.1:9472 unless told otherwise",
    )
    .option("--http-token <file>", "who reads there must know the token in this file")
    .option("--http-cert <file>", "serve there by TLS, with this certificate (PEM)")
    .option("--http-key <file>", "and its key")
    .option(
      "--fleet [port]",
      `show all nodes on each other's status page: they ask each other there, sealed by the cluster secret; ${DEFAULT_FLEET_PORT} unless told otherwise`,
      within(1, HIGHEST_PORT),
    )
    .option("--metrics <host:port>", "serve /metrics and probes there, and nothing else")
    .option(
      "--cluster-secret <file>",
      "secret that all nodes of the cluster share; without it each chooses other backends for a connection, and nobody " +
        "answers on a link for what several nodes could",
    )
    .option(
      "--l2-port <port>",
      "UDP port of the heartbeats between nodes that share a link",
      within(1, HIGHEST_PORT),
      DEFAULT_L2_PORT,
    )
    .option(
      "--l2-heartbeat <milliseconds>",
      "how often a node says that it lives; nodes may differ, each is judged by its own",
      within(20, 60_000),
      DEFAULT_TIMING.heartbeatMilliseconds,
    )
    .option(
      "--l2-misses <count>",
      "after how many heartbeats that do not come others take this node for dead",
      within(2, 100),
      DEFAULT_TIMING.misses,
    )
    .option("--flows <rows>", "rows of the flow table, a power of two; a flow takes two", powerOfTwo, DEFAULT_FLOW_ROWS)
    .option("--speaker-socket <path>", "BGP is spoken by `sluice speaker` behind this socket")
    .addOption(
      new Option(
        "--goodbye <how>",
        "at the end: `cease` makes routers drop the routes at once, `graceful` lets those with graceful restart keep them",
      )
        .choices(GOODBYES)
        .default("cease"),
    )
    .addHelpText("after", "\nExample:\n  sluice run -f /etc/sluice --node node1 --uplink eth0")
    .action(async (flags, command: Command) => {
      const inside = flags.inside as string[];
      if (inside.length > 1 && inside.includes("stack"))
        throw new Error("--inside: `stack` can't be mixed with interfaces");
      if (!flags.forwarding && flags.l2)
        throw new Error("--no-forwarding: needs --no-l2 (who answers for an address gets its traffic)");
      if ((flags.httpCert === undefined) !== (flags.httpKey === undefined))
        throw new Error("--http-cert and --http-key: one needs the other");
      if (flags.fleet !== undefined && flags.clusterSecret === undefined)
        throw new Error("--fleet: needs --cluster-secret, by which the nodes know each other");
      if (flags.kubeconfig !== undefined && !flags.kubernetes) throw new Error("--kubeconfig: needs --kubernetes");
      if (!flags.kubernetes && flags.filename.length === 0) throw new Error("one of -f and --kubernetes is required");
      const options: RunOptions = {
        kubernetes: flags.kubernetes
          ? {
              kubeconfig: flags.kubeconfig ?? null,
              namespace: flags.namespace,
              identity: flags.node,
              stateFile: flags.state,
              ipam: flags.ipam,
            }
          : null,
        paths: flags.filename,
        parts: { bgp: flags.bgp, l2: flags.l2, forwarding: flags.forwarding },
        healthCheckPorts: flags.healthCheckPorts,
        heldFile: !flags.kubernetes && command.getOptionValueSource("state") === "cli" ? flags.state : null,
        node: flags.node,
        uplinks: flags.uplink,
        inside: inside[0] === "stack" ? "stack" : inside,
        vlans: (flags.vlan as string[]).map(parseVlanOption),
        datapath: flags.datapath,
        newFlowsPerSource: flags.newFlowsPerSource,
        synCookies: flags.synCookies,
        newFlowBudget: flags.newFlowBudget,
        keepFlows: flags.keepFlows,
        xdpMode: flags.xdpMode,
        repairOffloads: flags.repairOffloads,
        socket: flags.socket,
        http: flags.http === true ? DEFAULT_HTTP : (flags.http ?? null),
        httpSecrets: {
          tokenFile: flags.httpToken ?? null,
          tls: flags.httpCert === undefined ? null : { certificate: flags.httpCert, key: flags.httpKey },
        },
        fleetPort: flags.fleet === true ? DEFAULT_FLEET_PORT : (flags.fleet ?? null),
        metrics: flags.metrics ?? null,
        clusterSecret: flags.clusterSecret ?? null,
        l2Port: flags.l2Port,
        l2Timing: { ...DEFAULT_TIMING, heartbeatMilliseconds: flags.l2Heartbeat, misses: flags.l2Misses },
        flowRows: flags.flows,
        speakerSocket: flags.speakerSocket ?? null,
        goodbye: flags.goodbye,
      };
      // Only this command needs the native addon; the others work where there is none.
      const { runCommand } = await import("./run.ts");
      await runCommand(options);
    });

  program
    .command("check")
    .description("look whether settings of the interfaces would break traffic; exit with 1 while one does")
    .requiredOption("--uplink <interface...>", "interface that faces routers and clients")
    .option("--inside <where...>", "as for `sluice run`", ["stack"])
    .option("--vlan <interface=vlan...>", "as for `sluice run`", [])
    .addOption(xdpModeOption())
    .option("--repair-offloads", "put right what can be", false)
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  sluice check --uplink eth0 --repair-offloads")
    .action(async (flags) => {
      const inside = (flags.inside as string[]).filter((name) => name !== "stack");
      const tagged = (flags.vlan as string[]).map((text) => parseVlanOption(text).interface);
      const { runCheck } = await import("./check.ts");
      const { stdout, exitCode } = runCheck({
        ...flags,
        tagged,
        interfaces: [...new Set([...flags.uplink, ...inside])],
      });
      process.stdout.write(stdout);
      exitWith(exitCode);
    });

  program
    .command("speaker")
    .description("speak BGP in a process of its own: sessions outlive `sluice run --speaker-socket`")
    .requiredOption("--socket <path>", "unix socket to serve")
    .option("--cease", "at the end tell the routers, who then drop the routes at once", false)
    .addHelpText("after", "\nExample:\n  sluice speaker --socket /run/sluice/speaker.sock")
    .action(async (flags) => {
      const { runSpeaker } = await import("./speaker.ts");
      await runSpeaker(flags.socket, flags.cease);
    });

  program
    .command("plan")
    .description("show what would happen, without touching anything")
    .requiredOption("-f, --filename <path...>", "files or directories of manifests; - is standard input")
    .option(
      "--against <path...>",
      "manifests of what is live now: exit with 2 when an address, route or owner would move",
      [],
    )
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nExamples:\n  sluice plan -f manifests/\n  sluice plan -f new/ --against live/ || echo something would move",
    )
    .action(async (flags) => {
      const result = await runPlan({ paths: flags.filename, output: flags.output, against: flags.against });
      process.stdout.write(result.stdout);
      process.stderr.write(result.stderr);
      exitWith(result.exitCode);
    });

  addClusterCommands(program);

  addExplainCommands(program, DEFAULT_SOCKET, outputOption);

  addReplayCommand(program, outputOption(), exitWith);

  addCleanupCommand(program, outputOption());

  show(
    program
      .command("status")
      .description("what the running gateway does")
      .addHelpText("after", "\nExamples:\n  sluice status\n  sluice status -o json | jq .datapath.reasons"),
    () => "/v1/status",
    statusTable,
  );
  show(
    program
      .command("services")
      .description("the Services that are served here, with their backends and traffic")
      .addHelpText("after", "\nExample:\n  sluice services"),
    () => "/v1/services",
    servicesTable,
  );
  show(
    program
      .command("flows")
      .description("the live flows")
      .addHelpText("after", "\nExample:\n  sluice flows --limit 20")
      .option("--limit <count>", "at most this many", positive, 1000),
    (flags) => `/v1/flows?limit=${flags["limit"]}`,
    flowsTable,
  );

  show(
    program
      .command("policies")
      .description("policy modules: what is loaded, what they answered")
      .addHelpText("after", "\nExample:\n  sluice policies -o json"),
    () => "/v1/policies",
    policiesTable,
  );

  show(
    program
      .command("fleet")
      .description("all nodes, as this one finds them: sessions, datapath, traffic, and what is wrong")
      .addHelpText("after", "\nExample:\n  sluice fleet"),
    () => "/v1/fleet",
    fleetTable,
  );

  addBgpCommands(program, show, DEFAULT_SOCKET);
  addL2Commands(program, show, DEFAULT_SOCKET);
  addTraceCommands(program, DEFAULT_SOCKET, positive);
  addDrainCommands(program, DEFAULT_SOCKET, positive);
  addDoctorCommand(program, { outputOption: outputOption(), defaultSocket: DEFAULT_SOCKET }, exitWith);
  addBundleCommand(program, DEFAULT_SOCKET);
  addCompletionCommand(program);

  return program;
}

/** A command that asks the running process and prints its answer as a table or as JSON. */
function show<T>(
  command: Command,
  path: (flags: Record<string, unknown>, argument?: string) => string,
  table: (answer: T) => string,
): void {
  command
    .addOption(outputOption())
    .option("--socket <path>", "unix socket of the running process", DEFAULT_SOCKET)
    .action(async (...received: unknown[]) => {
      const flags = command.opts();
      const argument = typeof received[0] === "string" ? received[0] : undefined;
      process.stdout.write(await showFromProcess(flags["socket"], path(flags, argument), flags["output"], table));
    });
}

function xdpModeOption(): Option {
  return new Option("--xdp-mode <mode>", "how to attach to the interfaces")
    .choices(["auto", "native", "generic"])
    .default("auto");
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "how to print").choices(["table", "json"]).default("table");
}

/** One sentence: what went wrong and, where it is known, what to do. */
function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of Node's own words the code and the call say nothing to people.
  const { path, syscall } = error as NodeJS.ErrnoException;
  if (path !== undefined && syscall !== undefined && !("hint" in error)) return `${path}: ${fileFault(error)}`;
  const hint = isNativeError(error) || "hint" in error ? `: ${(error as { hint: string }).hint}` : "";
  return `${error.message}${hint}`;
}
