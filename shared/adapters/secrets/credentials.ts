/** A user's name and password; the password shows in no log or JSON. */
export class UserAndPassword {
  readonly username: string;
  readonly #password: string;

  constructor(username: string, password: string) {
    this.username = username;
    this.#password = password;
  }

  get password(): string {
    return this.#password;
  }
}

/** A private key and its certificate as PEM; the key shows in no log or JSON. */
export class KeyAndCertificate {
  /** With the certificates between it and the authority, where there are some. */
  readonly cert: string;
  /** The authority that the other side's certificate is verified with; absent: the public ones. */
  readonly ca: string | undefined;
  readonly #key: string;

  constructor(key: string, cert: string, ca: string | undefined) {
    this.#key = key;
    this.cert = cert;
    this.ca = ca;
  }

  get key(): string {
    return this.#key;
  }
}

/** The value of an Authorization header, which shows in no log or JSON. */
export class HttpAuthorization {
  readonly scheme: 'Basic' | 'Bearer';
  readonly #credentials: string;

  constructor(scheme: 'Basic' | 'Bearer', credentials: string) {
    this.scheme = scheme;
    this.#credentials = credentials;
  }

  get header(): string {
    return `${this.scheme} ${this.#credentials}`;
  }
}
