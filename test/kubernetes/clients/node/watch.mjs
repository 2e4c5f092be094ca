/** Watches the leases of a namespace, and tells each event, until there is a line on its standard input. Usage: watch.mjs NAMESPACE */
import { KubeConfig, Watch } from '@kubernetes/client-node';
import { seen, tell } from './tell.mjs';

const [namespace] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromDefault();

const watching = await new Watch(config).watch(
  `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
  { allowWatchBookmarks: true },
  (type, object) => tell(type, seen(object)),
  (error) => tell('ended', { error: error?.name }),
);
tell('watching');
process.stdin.once('data', () => {
  watching.abort();
  process.stdin.destroy();
});
