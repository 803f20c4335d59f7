import { mysqlTarget } from './mysql-target.js';

export default mysqlTarget('mariadb', 'WB_TEST_MARIADB_URL');
