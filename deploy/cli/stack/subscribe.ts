import { PubSub } from '@google-cloud/pubsub';
import { localProject } from '../../local/project.ts';

const ACK_DEADLINE_SECONDS = 120;

/** Makes a topic with one push subscription, or points an existing one at a new address. */
export async function subscribe(push: {
  readonly topic: string;
  readonly subscription: string;
  readonly url: string;
  /** Service account whose token the push carries. */
  readonly caller: string;
}): Promise<void> {
  const client = new PubSub({ projectId: localProject });
  try {
    const [topic] = await client.topic(push.topic).get({ autoCreate: true });
    const pushConfig = {
      pushEndpoint: push.url,
      oidcToken: { serviceAccountEmail: push.caller, audience: push.url },
    };
    const subscription = topic.subscription(push.subscription);
    if ((await subscription.exists())[0]) {
      await subscription.modifyPushConfig(pushConfig);
    } else {
      await topic.createSubscription(push.subscription, {
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
