/**
 * The first line of what is said of one alert.
 */
import type { Alert } from '@sentineld/model/alert';
import { severityStyle, type Styles } from './styles.ts';
import { indentText } from './wrap.ts';

/** Severity and title, in bold, wrapped; ends with a line feed. */
export function alertTitle({ styles, width }: { readonly styles: Styles; readonly width: number }, alert: Alert): string {
  const severity = alert.severity.toUpperCase();
  const mark = severityStyle(styles, alert.severity)(severity);
  const [first = '', ...rest] = indentText(`${severity}  ${alert.title}`, width, '').split('\n');
  return [styles.bold(first.replace(severity, mark)), ...rest.map((line) => (line === '' ? '' : styles.bold(line)))].join('\n');
}
