import type { EpochView, Overview } from '../view/view-model.ts';

const MAX_ID_CHARACTERS = 320;

/** What the API's paths answer with: the same content as the page, by parts. */
export type ApiAnswer =
  | { readonly status: 200; readonly body: object }
  | { readonly status: 404; readonly what: string };

/** The parts of the page's content that are asked for by name. */
export function answerApi(path: string, query: URLSearchParams, overview: Overview): ApiAnswer {
  const { asOf } = overview;
  switch (path) {
    case 'overview':
      return { status: 200, body: overview };
    case 'pipelines':
      return { status: 200, body: { asOf, pipelines: overview.pipelines } };
    case 'epochs':
      return { status: 200, body: { asOf, epochs: overview.epochs } };
    case 'dead-letters':
      return { status: 200, body: { asOf, ...selectDeadLetters(query, overview) } };
    case 'approvals':
      return { status: 200, body: { asOf, approvals: overview.approvals } };
    case 'secrets':
      return { status: 200, body: { asOf, secrets: overview.secrets } };
    case 'audit':
      return { status: 200, body: { asOf, ...overview.deeds } };
    default:
      return { status: 404, what: `There is no /api/${path.slice(0, MAX_ID_CHARACTERS)}` };
  }
}

/** One epoch, with the model that learns from it when it is the newest. */
export function answerEpoch(epoch: EpochView, { asOf, model }: Overview): object {
  return { asOf, epoch, model: model?.epoch === epoch.id ? model : null };
}

function selectDeadLetters(query: URLSearchParams, { deadLetters }: Overview): Overview['deadLetters'] {
  const [pipeline, id] = [query.get('pipeline'), query.get('id')];
  const newest = deadLetters.newest.filter(
    (letter) => (pipeline === null || letter.pipeline === pipeline) && (id === null || letter.id === id),
  );
  return { ...deadLetters, newest };
}
