"""Takes the steps of pubsub.test.ts with Google's Python client and prints what it saw as one line of JSON."""

import json
import threading

from google.api_core import exceptions
from google.cloud import pubsub_v1

PROJECT = "penstock-clients"
MESSAGES = 200
WITHIN_SECONDS = 30
seen = {}

publisher = pubsub_v1.PublisherClient(publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True))
subscriber = pubsub_v1.SubscriberClient()
topic = publisher.topic_path(PROJECT, "python")
dead_topic = publisher.topic_path(PROJECT, "python-dead")


def subscription(name, **settings):
    path = subscriber.subscription_path(PROJECT, name)
    subscriber.create_subscription(request={"name": path, "topic": topic, "ack_deadline_seconds": 10, **settings})
    return path


def collect(path, handle, count):
    """Pulls until `handle` has returned something `count` times, in a stream; gives what it returned."""
    found = []
    done = threading.Event()

    def take(message):
        value = handle(message)
        if value is not None:
            found.append(value)
        if len(found) >= count:
            done.set()

    stream = subscriber.subscribe(path, callback=take)
    if not done.wait(WITHIN_SECONDS):
        raise TimeoutError(f"{len(found)} of {count} from {path} in {WITHIN_SECONDS} s: {found}")
    stream.cancel()
    stream.result()
    return found


def ordered(path):
    def take(message):
        message.ack()
        return message.ordering_key, int(message.data), message.attributes["kind"]

    found = collect(path, take, MESSAGES)
    seen["pulled"] = len(set(found))
    seen["inOrder"] = all(
        numbers == sorted(numbers) for numbers in ([n for k, n, _ in found if k == key] for key in ("a", "b"))
    )
    seen["attributes"] = sorted({kind for _, _, kind in found})


def exactly_once(path):
    """Each is refused once and acknowledged when it comes again; what is done cannot be acknowledged again."""
    refused = set()
    ack_ids = []

    def take(message):
        if message.message_id not in refused:
            refused.add(message.message_id)
            message.nack()
            return None
        ack_ids.append(message.ack_id)
        return message.ack_with_response().result(WITHIN_SECONDS).name, message.data.decode()

    seen["redelivered"] = [f"{name} {data}" for name, data in sorted(collect(path, take, 5))]
    try:
        subscriber.acknowledge(request={"subscription": path, "ack_ids": ack_ids[:1]})
    except exceptions.FailedPrecondition as error:
        seen["acknowledgedAgain"] = error.details[0].metadata[ack_ids[0]]


def dead_letters(path):
    """Refuses every delivery, until the dead-letter topic has the message."""
    dead = subscriber.subscription_path(PROJECT, "python-dead")
    stream = subscriber.subscribe(path, callback=lambda message: message.nack())

    def take(message):
        message.ack()
        return message.data.decode()

    seen["dead"] = sorted(collect(dead, take, 2))
    stream.cancel()
    stream.result()


def main():
    publisher.create_topic(request={"name": topic})
    publisher.create_topic(request={"name": dead_topic})
    dead = subscriber.subscription_path(PROJECT, "python-dead")
    subscriber.create_subscription(request={"name": dead, "topic": dead_topic})
    in_order = subscription("python-ordered", enable_message_ordering=True, filter='attributes.kind = "ordered"')
    once = subscription("python-once", enable_exactly_once_delivery=True, filter='attributes.kind = "once"')
    poison = subscription(
        "python-poison",
        filter='attributes.kind = "poison"',
        dead_letter_policy={"dead_letter_topic": dead_topic, "max_delivery_attempts": 5},
    )
    sent = [
        publisher.publish(topic, str(number).encode(), ordering_key="ab"[number % 2], kind="ordered")
        for number in range(MESSAGES)
    ]
    sent += [publisher.publish(topic, f"once{number}".encode(), kind="once") for number in range(5)]
    sent += [publisher.publish(topic, f"poison{number}".encode(), kind="poison") for number in range(2)]
    seen["published"] = len({future.result(WITHIN_SECONDS) for future in sent})
    ordered(in_order)
    exactly_once(once)
    dead_letters(poison)
    try:
        publisher.create_topic(request={"name": topic})
    except exceptions.AlreadyExists:
        seen["again"] = "ALREADY_EXISTS"
    for path in (in_order, once, poison, dead):
        subscriber.delete_subscription(request={"subscription": path})
    for path in (topic, dead_topic):
        publisher.delete_topic(request={"topic": path})
    seen["topicsLeft"] = len(list(publisher.list_topics(request={"project": f"projects/{PROJECT}"})))
    print(json.dumps(seen))


main()
