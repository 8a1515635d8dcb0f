import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError, unary } from '../../grpc.ts';
import type { Catalog, Instance } from '../engine/catalog.ts';
import { google, strict } from './messages.ts';
import type { Operations } from './operations.ts';

const admin = google.spanner.admin.instance.v1;

const SERVICE = '/google.spanner.admin.instance.v1.InstanceAdmin';
const INSTANCE_ID = /^[a-z][-a-z0-9]{0,62}[a-z0-9]$/;
const CONFIG_ID = 'emulator-config';

/** Instances, and the one configuration that they can have. */
export function instanceAdminMethods(catalog: Catalog, operations: Operations): Method[] {
  return [...configMethods(), ...instanceMethods(catalog), ...changeMethods(catalog, operations)];
}

function configMethods(): Method[] {
  return [
    unary(
      `${SERVICE}/ListInstanceConfigs`,
      strict(admin.ListInstanceConfigsRequest),
      strict(admin.ListInstanceConfigsResponse),
      ({ parent }) =>
        admin.ListInstanceConfigsResponse.create({
          instanceConfigs: [config(`${parent}/instanceConfigs/${CONFIG_ID}`)],
        }),
    ),
    unary(
      `${SERVICE}/GetInstanceConfig`,
      strict(admin.GetInstanceConfigRequest),
      strict(admin.InstanceConfig),
      ({ name }) => admin.InstanceConfig.create(config(name)),
    ),
  ];
}

function instanceMethods(catalog: Catalog): Method[] {
  return [
    unary(`${SERVICE}/GetInstance`, strict(admin.GetInstanceRequest), strict(admin.Instance), ({ name }) =>
      admin.Instance.create(message(catalog.instance(name))),
    ),
    unary(
      `${SERVICE}/ListInstances`,
      strict(admin.ListInstancesRequest),
      strict(admin.ListInstancesResponse),
      ({ parent }) => {
        const instances = [...catalog.instances.values()].filter(({ name }) => name.startsWith(`${parent}/`));
        return admin.ListInstancesResponse.create({ instances: instances.map(message) });
      },
    ),
    unary(
      `${SERVICE}/DeleteInstance`,
      strict(admin.DeleteInstanceRequest),
      strict(google.protobuf.Empty),
      ({ name }) => {
        catalog.instance(name);
        catalog.record({ kind: 'drop-instance', name });
        return google.protobuf.Empty.create();
      },
    ),
  ];
}

function changeMethods(catalog: Catalog, operations: Operations): Method[] {
  return [
    unary(
      `${SERVICE}/CreateInstance`,
      strict(admin.CreateInstanceRequest),
      strict(google.longrunning.Operation),
      ({ parent, instanceId, instance }) => {
        const name = `${parent}/instances/${instanceId}`;
        if (!INSTANCE_ID.test(instanceId)) {
          throw new RpcError(status.INVALID_ARGUMENT, `Invalid instance id ${instanceId}: expected ${INSTANCE_ID}.`);
        }
        if (catalog.instances.has(name)) throw new RpcError(status.ALREADY_EXISTS, `Instance already exists: ${name}`);
        const configName = instance?.config || `${parent}/instanceConfigs/${CONFIG_ID}`;
        catalog.record({
          kind: 'instance',
          name,
          config: configName,
          displayName: instance?.displayName || instanceId,
        });
        return done(catalog, operations, name);
      },
    ),
    unary(
      `${SERVICE}/UpdateInstance`,
      strict(admin.UpdateInstanceRequest),
      strict(google.longrunning.Operation),
      ({ instance }) => {
        const before = catalog.instance(instance?.name ?? '');
        catalog.record({ kind: 'instance', ...before, displayName: instance?.displayName || before.displayName });
        return done(catalog, operations, before.name);
      },
    ),
  ];
}

function done(catalog: Catalog, operations: Operations, name: string): types.longrunning.Operation {
  const instance = admin.Instance.create(message(catalog.instance(name)));
  const metadata = admin.CreateInstanceMetadata.create({ instance });
  return operations.done(
    name,
    { type: admin.CreateInstanceMetadata, message: metadata },
    { type: admin.Instance, message: instance },
  );
}

function message({ name, config, displayName }: Instance): types.spanner.admin.instance.v1.IInstance {
  return { name, config, displayName, nodeCount: 1, processingUnits: 1000, state: admin.Instance.State.READY };
}

function config(name: string): types.spanner.admin.instance.v1.IInstanceConfig {
  return { name, displayName: "The laptop's only configuration", configType: admin.InstanceConfig.Type.GOOGLE_MANAGED };
}
