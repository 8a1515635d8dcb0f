import {
  debeziumArtifacts,
  javaClientArtifacts,
  kafkaArtifacts,
  kafkaPythonPackages,
  pythonPackages,
  trainingPackages,
} from './artifacts.ts';
import { ensureChromium } from './chromium.ts';
import { mavenJars } from './maven-jars.ts';
import { pythonWith } from './python-packages.ts';

/** Fetches what one suite of `npm run test:real` needs. */
const needs: Readonly<Record<string, () => void>> = {
  kafka: () => void mavenJars(kafkaArtifacts),
  rotation: () => void mavenJars(kafkaArtifacts),
  clients: () => {
    mavenJars(javaClientArtifacts);
    pythonWith(pythonPackages);
  },
  producers: () => {
    mavenJars(kafkaArtifacts);
    mavenJars(javaClientArtifacts);
    mavenJars(debeziumArtifacts);
    pythonWith(kafkaPythonPackages);
  },
  files: () => void pythonWith(trainingPackages),
  page: ensureChromium,
};

for (const name of process.argv.slice(2)) {
  const fetch = needs[name];
  if (!fetch) throw new Error(`No suite ${name}: name one of ${Object.keys(needs).join(', ')}`);
  fetch();
}
