/** Commands that prepare a cluster: `sluice migrate` and `sluice crds`. */
import { Argument, type Command } from "commander";
import { MIGRATIONS, type MigrationName, runMigrate } from "./migrate.ts";

export function addClusterCommands(program: Command): void {
  program
    .command("migrate")
    .description("print the newer objects that say what older ones said; changes nothing")
    .addArgument(new Argument("<from>", "what to read").choices(MIGRATIONS))
    .requiredOption("-f, --filename <path...>", "files or directories of manifests; - is standard input")
    .addHelpText("after", "\nExample:\n  kubectl get bgpp,ippools,nodes -o yaml | sluice migrate cilium-v1 -f -")
    .action(async (from: MigrationName, flags) => {
      process.stdout.write(await runMigrate(from, flags.filename));
    });

  const crds = program.command("crds").description("the CustomResourceDefinitions of both dialects");
  crds
    .command("print")
    .description("print them as YAML")
    .addHelpText("after", "\nExample:\n  sluice crds print | kubectl apply --server-side -f -")
    .action(async () => {
      const { crdFiles } = await import("../config/crd-text.ts");
      process.stdout.write([...crdFiles().values()].join("---\n"));
    });
  crds
    .command("install")
    .description("install those that the cluster does not have; what is there, whoever brought it, is left alone")
    .option("--kubeconfig <file>", "how to reach the cluster; without it the pod's service account, or kubectl's way")
    .addHelpText("after", "\nExample:\n  sluice crds install --kubeconfig ~/.kube/config")
    .action(async (flags) => {
      // The client is large, and the other commands have no use for it.
      const { installCrds } = await import("../kubernetes/crd-install.ts");
      const { ApiConnection } = await import("../kubernetes/api-connection.ts");
      for (const line of await installCrds(new ApiConnection(flags.kubeconfig ?? null)))
        process.stdout.write(`${line}\n`);
    });
}
