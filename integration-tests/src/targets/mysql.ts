import { mysqlTarget } from './mysql-target.js';

export default mysqlTarget('mysql', 'WB_TEST_MYSQL_URL');
