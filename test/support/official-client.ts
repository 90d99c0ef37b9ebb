/** As much of the platform's official client (`mindee` on npm) as the tests call. */
export interface OfficialClient {
  BytesInput: new (options: { inputBytes: Buffer; filename: string }) => object;
  v1: {
    Client: new (options: { apiKey: string; dispatcher: object }) => {
      parse(
        product: object,
        document: object,
        options?: { endpoint: object },
      ): Promise<{ apiRequest: { statusCode: number; error: { code?: string } } }>;
      createEndpoint(api: string, account: string, version: string): object;
    };
    product: { InvoiceV4: object; ReceiptV5: object; GeneratedV1: object };
  };
}

/** `npm run extras` installs it: it is not among the packages of keylift, as it brings 70 MB for reading PDF. */
const PACKAGE = 'mindee';

/** The client, or null where it is not installed; the gate insists on it. */
export const CLIENT = await import(PACKAGE).then(
  (found: OfficialClient) => found,
  (error: unknown) => {
    if (process.env['KEYLIFT_TEST_EXTRAS'] === 'required') throw error;
    return null;
  },
);
