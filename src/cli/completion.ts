/**
 * `sluice completion bash`: a script for the shell, made from the commands as they are, so that it can't be behind them.
 * After a word the candidates are the commands and options at that place; an option's choices follow the option.
 */
import { Argument, type Command } from "commander";

export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("print a script by which a shell completes commands and options")
    .addArgument(new Argument("<shell>", "for which shell").choices(["bash", "zsh"]))
    .addHelpText("after", "\nExample:\n  source <(sluice completion bash)")
    .action((shell: "bash" | "zsh") => {
      process.stdout.write(completionScript(program, shell));
    });
}

/** zsh runs bash's own completions, once asked to. */
export function completionScript(program: Command, shell: "bash" | "zsh"): string {
  const cases = [...places(program, "")].map(
    ([place, { words, choices }]) =>
      `    ${JSON.stringify(place)}) words=${JSON.stringify(words.join(" "))}\n` +
      choices
        .map(([flag, values]) => `      case $previous in ${flag}) words=${JSON.stringify(values.join(" "))};; esac\n`)
        .join("") +
      "      ;;\n",
  );
  const commands = [...places(program, "")].map(([place]) => place).filter((place) => place !== "");
  return `${shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""}_sluice() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} place="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case " ${commands.map((place) => place.replaceAll(" ", "/")).join(" ")} " in
      *" \${place:+$place/}$word "*) place=\${place:+$place/}$word ;;
    esac
  done
  case \${place//\\// } in
${cases.join("")}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _sluice sluice
`;
}

interface Place {
  readonly words: readonly string[];
  /** Options that have choices. */
  readonly choices: readonly (readonly [flag: string, values: readonly string[]])[];
}

function* places(command: Command, place: string): Generator<[string, Place]> {
  const options = command.options.filter(({ hidden }) => !hidden);
  const flags = options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag != null);
  const choices = options.flatMap(({ short, long, argChoices }) =>
    argChoices === undefined ? [] : [[[short, long].filter((flag) => flag != null).join("|"), argChoices] as const],
  );
  const fixed = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  yield [place, { words: [...command.commands.map((each) => each.name()), ...fixed, ...flags], choices }];
  for (const each of command.commands) yield* places(each, place === "" ? each.name() : `${place} ${each.name()}`);
}
