import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError, unary } from '../../grpc.ts';
import { parseCreateDatabase } from '../ddl/create-database.ts';
import { printDdl } from '../ddl/print.ts';
import { systemRoles } from '../ddl/system-roles.ts';
import type { Catalog } from '../engine/catalog.ts';
import type { Database } from '../engine/database.ts';
import { checkRequestSize, google, strict } from './messages.ts';
import type { Operations } from './operations.ts';
import { toTimestamp } from './timestamps.ts';

const admin = google.spanner.admin.database.v1;

const SERVICE = '/google.spanner.admin.database.v1.DatabaseAdmin';
const DATABASE_ID = /^[a-z][-_a-z0-9]{0,28}[a-z0-9]$/;
const MS_PER_SECOND = 1000;

/** Databases and their schemas. */
export function databaseAdminMethods(catalog: Catalog, operations: Operations): Method[] {
  return [
    ...createMethods(catalog, operations),
    ...ddlMethods(catalog, operations),
    ...databaseMethods(catalog, operations),
  ];
}

function createMethods(catalog: Catalog, operations: Operations): Method[] {
  return [
    unary(
      `${SERVICE}/CreateDatabase`,
      strict(admin.CreateDatabaseRequest),
      strict(google.longrunning.Operation),
      async (request, context) => {
        checkRequestSize(context);
        const name = await createDatabase(catalog, request);
        const { database } = catalog.database(name);
        return operations.done(
          name,
          { type: admin.CreateDatabaseMetadata, message: admin.CreateDatabaseMetadata.create({ database: name }) },
          { type: admin.Database, message: admin.Database.create(message(database)) },
        );
      },
    ),
    unary(
      `${SERVICE}/DropDatabase`,
      strict(admin.DropDatabaseRequest),
      strict(google.protobuf.Empty),
      ({ database }) => {
        if (catalog.databases.has(database)) catalog.record({ kind: 'drop-database', name: database });
        return google.protobuf.Empty.create();
      },
    ),
  ];
}

function ddlMethods(catalog: Catalog, operations: Operations): Method[] {
  return [
    unary(
      `${SERVICE}/UpdateDatabaseDdl`,
      strict(admin.UpdateDatabaseDdlRequest),
      strict(google.longrunning.Operation),
      async (request, context) => {
        checkRequestSize(context);
        const { database } = catalog.database(request.database);
        if (request.statements.length === 0) {
          throw new RpcError(status.INVALID_ARGUMENT, 'UpdateDatabaseDdl needs at least one statement.');
        }
        operations.requireFree(request.database, request.operationId);
        const timestamps: number[] = [];
        for (const statement of request.statements) timestamps.push(await database.changeSchema(statement));
        const metadata = admin.UpdateDatabaseDdlMetadata.create({
          database: request.database,
          statements: request.statements,
          commitTimestamps: timestamps.map(toTimestamp),
          progress: timestamps.map((at) => ({
            progressPercent: 100,
            startTime: toTimestamp(at),
            endTime: toTimestamp(at),
          })),
        });
        return operations.done(
          request.database,
          { type: admin.UpdateDatabaseDdlMetadata, message: metadata },
          { type: google.protobuf.Empty, message: google.protobuf.Empty.create() },
          request.operationId,
        );
      },
    ),
    unary(
      `${SERVICE}/GetDatabaseDdl`,
      strict(admin.GetDatabaseDdlRequest),
      strict(admin.GetDatabaseDdlResponse),
      ({ database }) => {
        const { schema } = catalog.database(database).database.stores;
        return admin.GetDatabaseDdlResponse.create({ statements: printDdl(schema, idOf(database)) });
      },
    ),
  ];
}

function databaseMethods(catalog: Catalog, operations: Operations): Method[] {
  return [
    unary(`${SERVICE}/GetDatabase`, strict(admin.GetDatabaseRequest), strict(admin.Database), ({ name }) =>
      admin.Database.create(message(catalog.database(name).database)),
    ),
    unary(
      `${SERVICE}/ListDatabases`,
      strict(admin.ListDatabasesRequest),
      strict(admin.ListDatabasesResponse),
      ({ parent }) => {
        catalog.instance(parent);
        const databases = [...catalog.databases.values()].filter(({ database }) =>
          database.name.startsWith(`${parent}/`),
        );
        return admin.ListDatabasesResponse.create({ databases: databases.map(({ database }) => message(database)) });
      },
    ),
    unary(
      `${SERVICE}/ListDatabaseOperations`,
      strict(admin.ListDatabaseOperationsRequest),
      strict(admin.ListDatabaseOperationsResponse),
      ({ parent }) => admin.ListDatabaseOperationsResponse.create({ operations: operations.list(parent) }),
    ),
    unary(
      `${SERVICE}/ListDatabaseRoles`,
      strict(admin.ListDatabaseRolesRequest),
      strict(admin.ListDatabaseRolesResponse),
      ({ parent }) => {
        const { roles } = catalog.database(parent).database.stores.schema;
        const names = [...new Set([...systemRoles, ...roles.keys()])];
        const databaseRoles = names.map((name) => ({ name: `${parent}/databaseRoles/${name}` }));
        return admin.ListDatabaseRolesResponse.create({ databaseRoles });
      },
    ),
  ];
}

async function createDatabase(
  catalog: Catalog,
  request: types.spanner.admin.database.v1.CreateDatabaseRequest,
): Promise<string> {
  catalog.instance(request.parent);
  if (request.databaseDialect === admin.DatabaseDialect.POSTGRESQL || request.databaseDialect === 'POSTGRESQL') {
    throw new RpcError(status.UNIMPLEMENTED, "The laptop's Spanner has GoogleSQL databases only.");
  }
  const id = parseCreateDatabase(request.createStatement);
  if (!DATABASE_ID.test(id)) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `Invalid database id ${id}: expected 2 to 30 characters, ${DATABASE_ID}.`,
    );
  }
  const name = `${request.parent}/databases/${id}`;
  if (catalog.databases.has(name)) throw new RpcError(status.ALREADY_EXISTS, `Database already exists: ${name}`);
  catalog.record({ kind: 'database', name, createdAt: catalog.nowMicros() });
  const { database } = catalog.database(name);
  try {
    for (const statement of request.extraStatements) await database.changeSchema(statement);
  } catch (error) {
    catalog.record({ kind: 'drop-database', name });
    throw error;
  }
  return name;
}

function message(database: Database): types.spanner.admin.database.v1.IDatabase {
  const { name, createdAt, horizon, stores } = database;
  return {
    name,
    state: admin.Database.State.READY,
    createTime: toTimestamp(createdAt),
    versionRetentionPeriod: `${stores.schema.versionRetentionMs / MS_PER_SECOND}s`,
    earliestVersionTime: toTimestamp(Math.max(createdAt, horizon)),
    databaseDialect: admin.DatabaseDialect.GOOGLE_STANDARD_SQL,
  };
}

function idOf(database: string): string {
  return database.slice(database.lastIndexOf('/') + 1);
}
