/**
 * Colour and weight, as functions that do nothing where colour is not wanted. Nothing is said by colour alone.
 */
import type { Severity } from '@sentineld/model/rule';

export type Style = (text: string) => string;

export type Styles = {
  readonly bold: Style;
  readonly dim: Style;
  readonly inverse: Style;
  readonly red: Style;
  readonly yellow: Style;
  readonly green: Style;
  readonly cyan: Style;
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a stream gets colour: https://no-color.org, a dumb terminal, a pipe and --no-color all say no. */
export function wantsColour(isTty: boolean, environment: Environment, noColor: boolean): boolean {
  return isTty && !noColor && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
}

/** SGR sequences (ECMA-48), each switched off by its own end so that they may be nested. */
export function createStyles(enabled: boolean): Styles {
  const style = (on: number, off: number): Style => (enabled ? (text) => `\u001b[${on}m${text}\u001b[${off}m` : (text) => text);
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    inverse: style(7, 27),
    red: style(31, 39),
    yellow: style(33, 39),
    green: style(32, 39),
    cyan: style(36, 39),
  };
}

export function severityStyle(styles: Styles, severity: string): Style {
  const bySeverity: Readonly<Record<Severity, Style>> = {
    critical: (text) => styles.inverse(styles.red(text)),
    high: styles.red,
    medium: styles.yellow,
    low: styles.cyan,
  };
  return new Map<string, Style>(Object.entries(bySeverity)).get(severity) ?? ((text) => text);
}
