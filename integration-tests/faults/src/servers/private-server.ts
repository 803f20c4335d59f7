/** A database server that was started for one run, and can be made to suffer. */
export interface PrivateServer {
  /** Where it comes from: `Docker`, `installed`. */
  readonly origin: string;
  /** Where it answers, to a superuser. The same after each restart. */
  readonly url: string;
  /** Stops all its processes, as they are (SIGSTOP). */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again after {@link PrivateServer.kill}, or after it has ended by itself. Does nothing to one that runs. Resolves before it answers. */
  start(): Promise<void>;
  /** Ends it in its orderly way, and starts it again. */
  restart(): Promise<void>;
  /** Fills up its data's file system. Resolves to what makes room again. `null`: it has none of its own. */
  readonly fillDisk: (() => Promise<() => Promise<void>>) | null;
  /** Sets its wall clock: `+3600` s, `-3600`, `+0`; resolves when it goes by it. `null`: without libfaketime. */
  readonly setClock: ((offset: string) => Promise<void>) | null;
  /** The end of what it said. */
  logs(): Promise<string>;
  /** Ends it for good and removes its data. */
  stop(): Promise<void>;
}

/** The first that is asked of a server. If it cannot be had the server is ended, and the error says what the server said. */
export async function answering<T>(server: PrivateServer, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const said = await server.logs().catch(() => 'nothing');
    await server.stop();
    throw new Error(`the server did not answer (${String(error)}). It said: ${said}`, { cause: error });
  }
}
