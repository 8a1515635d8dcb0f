import { PubSub } from '@google-cloud/pubsub';
import { localProject } from '../../local/project.ts';

const ACK_DEADLINE_SECONDS = 120;

/** Makes a topic with one push subscription, or points an existing one at a new address. */
export async function subscribe(wanted: {
  readonly topic: string;
  readonly subscription: string;
  readonly push: { readonly url: string; readonly audience: string };
  /** Service account whose token the push carries. */
  readonly caller: string;
}): Promise<void> {
  const client = new PubSub({ projectId: localProject });
  try {
    const [topic] = await client.topic(wanted.topic).get({ autoCreate: true });
    const pushConfig = {
      pushEndpoint: wanted.push.url,
      oidcToken: { serviceAccountEmail: wanted.caller, audience: wanted.push.audience },
    };
    const subscription = topic.subscription(wanted.subscription);
    if ((await subscription.exists())[0]) {
      await subscription.modifyPushConfig(pushConfig);
    } else {
      await topic.createSubscription(wanted.subscription, {
        pushConfig,
        ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
        enableMessageOrdering: false,
        retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 10 } },
      });
    }
  } finally {
    await client.close();
  }
}
