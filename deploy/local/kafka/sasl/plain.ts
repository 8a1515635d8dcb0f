import type { Credentials } from './credentials.ts';
import { type SaslExchange, SaslRefusal } from './mechanism.ts';

const NOTHING = Buffer.alloc(0);
const PARTS = 3;

/** PLAIN: `[authzid] NUL user NUL password`. Source: RFC 4616; messages as Apache Kafka's. */
export function plainExchange(credentials: Credentials): SaslExchange {
  return {
    async evaluate(token) {
      const parts = token.toString('utf8').split('\0');
      if (parts.length !== PARTS)
        throw new SaslRefusal(`PLAIN has ${PARTS} parts, not ${parts.length}`, { told: false });
      const [authorizeAs = '', user = '', password = ''] = parts;
      if (user === '') throw refused('username not specified');
      if (password === '') throw refused('password not specified');
      if (!(await credentials.checkPassword(user, password))) throw refused('Invalid username or password');
      if (authorizeAs !== '' && authorizeAs !== user) {
        throw refused('Client requested an authorization id that is different from username');
      }
      return { bytes: NOTHING, identity: { principal: user } };
    },
  };
}

function refused(why: string): SaslRefusal {
  return new SaslRefusal(`Authentication failed: ${why}`, { told: true });
}
