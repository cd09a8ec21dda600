/**
 * The release that all programs of this checkout are; a test holds it against package.json.
 */
export const VERSION: string = '0.1.0';
