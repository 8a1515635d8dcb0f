import type { TensorSpec } from './fitted.ts';
import { type BatchLayout, batchLayout } from './safetensors.ts';
import { tfrecordLayout } from './tfrecord-layout.ts';

/** How a batch is written. */
export type BatchFormat = 'safetensors' | 'arrow' | 'tfrecord';

/** The library that writes Arrow batches, pinned: another version may choose other bytes. */
export const arrowVersion = '21.2.0';

/** Media types of batches in HTTP. */
export const mediaTypes: Readonly<Record<Exclude<BatchFormat, 'tfrecord'>, string>> = {
  safetensors: 'application/vnd.safetensors',
  arrow: 'application/vnd.apache.arrow.stream',
};

/** Prepares the layout of batches of some tensors. */
export type LayoutOf = (specs: readonly TensorSpec[]) => BatchLayout;

/** Finds the layout of a format, and loads what it takes: most feeds need no library. */
export async function layoutOfFormat(format: BatchFormat): Promise<LayoutOf> {
  switch (format) {
    case 'safetensors':
      return batchLayout;
    case 'arrow':
      return (await import('./arrow-layout.ts')).arrowLayout;
    case 'tfrecord':
      return tfrecordLayout;
  }
}
