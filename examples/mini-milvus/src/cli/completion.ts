/** `mini-milvus completion <shell>`: a script that completes commands and flags, made from the command line's own description. */
import type { Command } from 'commander'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

export function completionScript(program: Command, shell: Shell): string {
  const commands = program.commands.map((command) => ({ name: command.name(), text: command.description() }))
  const flags = program.options.flatMap(({ long, description }) => (long === undefined || long === null ? [] : [{ name: long, text: description }]))
  const words = [...commands, ...flags].map(({ name }) => name).join(' ')
  switch (shell) {
    case 'bash':
      return `_mini_milvus() { COMPREPLY=($(compgen -W "${words}" -- "\${COMP_WORDS[COMP_CWORD]}")); }\ncomplete -o default -F _mini_milvus mini-milvus`
    case 'zsh':
      return `#compdef mini-milvus\n_arguments '1: :(${commands.map(({ name }) => name).join(' ')})' ${flags.map(({ name, text }) => quoted(`${name}[${text.replaceAll(/[[\]:]/g, ' ')}]`)).join(' ')} '*:file:_files'`
    case 'fish':
      return [
        ...commands.map(({ name, text }) => `complete -c mini-milvus -n __fish_use_subcommand -a ${name} -d ${quoted(text)}`),
        ...flags.map(({ name, text }) => `complete -c mini-milvus -l ${name.slice(2)} -d ${quoted(text)}`),
      ].join('\n')
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
